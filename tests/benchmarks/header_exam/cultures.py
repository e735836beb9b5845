"""Where invented people come from: pools of names, and the character sets in which they are written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Culture:
    """Names to draw from.

    Attributes
    ----------
    families, givens
        alphabetic; every one has four letters or more, so that no pseudonym contains it by chance
    charsets
        values of Specific Character Set that can hold them, one is drawn
    ideographic
        pairs of family and given name for the second component group, where the culture has it
    """

    families: str
    givens: str
    charsets: tuple[tuple[str, ...], ...] = (("ISO_IR 100",), ("ISO_IR 192",))
    ideographic: tuple[tuple[str, str], ...] = ()


CULTURES = (
    Culture(
        "Abernathy Blackwood Castellan Dunmore Eastgate Fairweather Grimsditch Hollingsworth Kettlewell Lockhart "
        "Murgatroyd Northcote Ogilvie Pemberton Quartermain Ravenscroft Satterthwaite Thistlewood Umpleby Wolstenholme",
        "Adelaide Bertram Clarissa Desmond Eleanor Frederica Gwendolen Horatio Imogen Jocelyn Leopold Marjorie Nigella",
        (("ISO_IR 6",), ("ISO_IR 100",), ("ISO_IR 192",)),
    ),
    Culture(
        "Aguirre-Ibarra Benavides Cifuentes Echeverría Fuenmayor Gutiérrez Hinojosa Muñoz Orduñez Peñaranda Quiñones",
        "Anselmo Begoña Concepción Dolores Esperanza Facundo Gerónimo Inmaculada Joaquín Milagros Rosalía Ximena",
    ),
    Culture(
        "Böttcher Dürrenmatt Engelhardt Grünwald Hüttenrauch Jägermeyer Köhlschein Lüdenscheidt Pfäffling Schröttinger",
        "Annegret Burkhard Dörthe Eberhard Friedhelm Gernot Heidelinde Irmgard Jürgen Kunigunde Lieselotte Wolfram",
    ),
    Culture(
        "Achterberg Bouwmeester Dijkgraaf Hoogendoorn Kuijpers Nieuwenhuis Oudekerk Schouwenaar Terpstra Vlaanderen",
        "Aleida Barteld Cornelia Diederik Evelien Folkert Geertruida Hendrika Joost Liesbeth Maarten Wilhelmina",
    ),
    Culture(
        "Adebayo Chukwuemeka Dlamini Fashola Kipchumba Mbatha Ndlovu Nwachukwu Okonkwo Olatunji Oyelaran Wanjiru",
        "Abimbola Babajide Chiamaka Folasade Ifeoluwa Kwabena Ngozi Nomvula Oluwaseun Sibusiso Temitope Wanjala",
        (("ISO_IR 6",), ("ISO_IR 192",)),
    ),
    Culture(
        "Bhattacharya Chaudhuri Deshpande Gopalakrishnan Iyengar Jayawardena Krishnamurthy Mukhopadhyay Venkataraman",
        "Abhishek Bhavana Chandrika Devendra Gayatri Harshavardhan Indrajit Kamalini Lakshmi Meenakshi Padmavathi",
        (("ISO_IR 6",), ("ISO_IR 100",)),
    ),
    Culture(
        "Bąkowski Czyżewski Dąbrowiecki Grzegorzewicz Łukasiński Miłkowska Piątkowska Szczęsny Żółkiewski",
        "Bożena Czesław Grażyna Jarosław Kazimiera Ludomiła Mieczysław Przemysław Stanisława Włodzimierz Zbigniew",
        (("ISO_IR 101",), ("ISO_IR 192",)),
    ),
    Culture(
        "Çelikoğlu Demirtaş Gündoğdu Hacıosmanoğlu Karagöz Öztürkmen Şahinkaya Tunçbilek Uğurlu Yıldırımer",  # noqa: RUF001  Turkish
        "Ayşegül Bülent Çağatay Dilşad Emrullah Gülşen Hürrem Kürşat Nilüfer Özgür Tuğrul Yeşim",
        (("ISO_IR 148",), ("ISO_IR 192",)),
    ),
    Culture(
        "Абрикосов Благовещенская Вяземский Гордейчук Доброхотова Житомирский Колокольцева Староверов Щербатская",
        "Аркадий Валентина Геннадий Евдокия Зинаида Константин Людмила Мстислав Пелагея Святослав Февронья",
        (("ISO_IR 144",), ("ISO_IR 192",)),
    ),
    Culture(
        "Αναγνωστόπουλος Δημητριάδης Ευαγγελινού Καραγιάννης Μιχαηλίδης Παπαχρήστου Σταυριανού Χατζηδάκης",
        "Αθανάσιος Βασιλική Γεώργιος Δέσποινα Ελευθερία Κωνσταντίνος Παναγιώτα Σπυρίδων Χρυσάνθη",
        (("ISO_IR 126",), ("ISO_IR 192",)),
    ),
    Culture(
        "الأندلسي البغدادي الحسيني الدمشقي الزهراوي الشنقيطي القرطبي النعماني",
        "إبراهيم جميلة خديجة زينب سليمان عبدالرحمن فاطمة مصطفى يوسف",
        (("ISO_IR 127",), ("ISO_IR 192",)),
    ),
    Culture(
        "Amagasaki Fujisawa Hasegawa Kawaguchi Matsudaira Nakanishi Sakakibara Tachibana Yamanouchi",
        "Ayumi Hidetoshi Kazuhiko Makoto Noriko Ryunosuke Sachiko Tomohiro Yukinari",
        (("", "ISO 2022 IR 87"), ("ISO_IR 192",)),
        (("長谷川", "和彦"), ("松平", "紀子"), ("橘", "幸子"), ("榊原", "歩美"), ("中西", "智宏")),
    ),
    Culture(
        "Cheung Huang Ouyang Shangguan Sima Tsang Xiong Zhang Zhuge",
        "Baozhu Chunhua Guiying Haoran Jianguo Lanfang Meiling Xiaoming Yunfei",
        (("GB18030",), ("ISO_IR 192",)),
        (("欧阳", "桂英"), ("诸葛", "建国"), ("熊", "美玲"), ("上官", "云飞"), ("黄", "春花")),
    ),
    Culture(
        "Hwangbo Jegal Namgoong Sagong Seomoon Seonwoo Dokgo",
        "Beomsoo Chaeyoung Dongwook Eunjeong Hyunseok Jiyoung Kyungmin Sooyeon",
        (("", "ISO 2022 IR 149"), ("ISO_IR 192",)),
        (("황보", "지영"), ("남궁", "현석"), ("선우", "은정"), ("독고", "동욱")),
    ),
)

STAFF = CULTURES[0]
"""Staff have names in plain ASCII, so that they can stand in an instance of any character set."""
